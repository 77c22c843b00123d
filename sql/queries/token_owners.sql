-- Who has held this token, of those that we watch?
-- held_until is null where it was there at the last snapshot.
-- Parameters: asset (the collection or token class), token (its id or value).
-- With psql: -v asset="'SP000000000000000000002Q6VF78.monkeys::monkey'" -v token="'u7'"
select
    coalesce(t.label, t.target) as target,
    p.holder,
    p.held_since,
    case when bool_and(p.valid_to is not null) then max(p.valid_to) end as held_until
from (table holding_current union all table holding_history) p
join mart.targets t using (target_id)
where p.asset = cast(:asset as text)
    and p.token = cast(:token as text)
group by p.target_id, t.label, t.target, p.holder, p.held_since
order by p.held_since, 1;
