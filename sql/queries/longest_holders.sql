-- Who has held longest without a break?
-- at_least: it was there in the first snapshot, and may be older.
-- Parameters: target (its name or label; null: all), limit.
-- With psql: -v target=null -v limit=20
select
    coalesce(p.label, p.target) as target,
    p.holder,
    p.asset,
    p.token,
    p.quantity,
    p.held_since,
    p.held_since = f.first_at as at_least,
    p.snapshot_at - p.held_since as held_for
from mart.positions_now p
join (
    select target_id, min(snapshot_at) as first_at
    from mart.snapshots
    group by target_id
) f using (target_id)
where cast(:target as text) is null or :target in (p.target, p.label)
order by held_for desc, 1, p.quantity desc, p.holder, p.asset, p.token
limit :limit;
