-- What changed last?
-- Parameters: target (its name or label; null: all), change (null: all kinds), limit.
-- With psql: -v target=null -v change="'exited'" -v limit=20
select
    c.changed_until as seen_at,
    coalesce(c.label, c.target) as target,
    c.kind as change,
    case
        when d.target_holds then regexp_replace(c.asset, '^.*::', '') || ' ' || left(c.token, 24)
        else c.holder
    end as what,
    c.quantity_before as before,
    c.quantity_after as after
from mart.changes c
join dataset d using (provider)
where (cast(:target as text) is null or :target in (c.target, c.label))
    and (cast(:change as text) is null or c.kind = :change)
order by c.changed_until desc, c.target, c.kind, c.holder, c.asset, c.token
limit :limit;
