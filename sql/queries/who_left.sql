-- Who left after that day, and are they back?
-- holds_now is null for those who are not.
-- Parameters: since, target (its name or label; null: all).
-- With psql: -v since="'2026-10-01'" -v target=null
select
    coalesce(c.label, c.target) as target,
    c.holder,
    c.asset,
    c.token,
    c.quantity_before as left_with,
    c.changed_after as left_after,
    c.changed_until as left_until,
    p.quantity as holds_now
from mart.changes c
left join mart.positions_now p
    on p.target_id = c.target_id
    and p.holder = c.holder
    and p.asset = c.asset
    and p.token is not distinct from c.token
where c.kind = 'exited'
    and c.changed_until > cast(:since as timestamptz)
    and (cast(:target as text) is null or :target in (c.target, c.label))
order by c.changed_until, 1, c.holder, c.asset, c.token;
