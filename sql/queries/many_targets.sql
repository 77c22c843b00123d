-- Who holds several of the things that we watch?
-- An item counts once, also where it is watched with several options.
-- Parameter: at_least (how many of them).
-- With psql: -v at_least=2
select
    h.provider,
    h.holder,
    count(distinct t.subject) as things,
    array_agg(distinct coalesce(h.label, h.target) order by coalesce(h.label, h.target))
        as targets
from mart.holders_now h
join mart.targets t using (target_id)
where h.provider in (select provider from dataset where not target_holds)
    and h.quantity > 0
group by h.provider, h.holder
having count(distinct t.subject) >= :at_least
order by things desc, h.provider, h.holder;
