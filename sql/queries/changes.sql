-- The latest changes, newest first. Parameters: target (its name; null: all), change (null: all
-- kinds), limit. With psql: -v target=null -v change="'exited'" -v limit=20
select
    c.changed_until as seen_at,
    coalesce(t.label, t.name) as target,
    c.change,
    case c.provider
        when 'hiro' then split_part(c.asset, '::', 2) || ' ' || left(c.token, 24)
        else c.holder
    end as what,
    c.amount_before as before,
    c.amount_after as after
from positions_changes c
join target t using (target_id)
where (cast(:target as text) is null or :target = t.name)
    and (cast(:change as text) is null or c.change = :change)
order by c.changed_until desc, t.name, c.change, c.holder, c.asset, c.token
limit :limit;
