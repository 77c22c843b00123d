-- Who holds both of these?
-- Parameters: one, other (name or label of a target).
-- With psql: -v one="'Sword'" -v other="'Shield'"
select
    a.holder,
    a.quantity as of_one,
    b.quantity as of_other,
    round(100 * a.share, 2) as percent_of_one,
    round(100 * b.share, 2) as percent_of_other
from mart.holders_now a
join mart.holders_now b using (holder)
where cast(:one as text) in (a.target, a.label)
    and cast(:other as text) in (b.target, b.label)
    and a.quantity > 0
    and b.quantity > 0
order by a.quantity desc, a.holder;
