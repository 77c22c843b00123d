-- The largest changes of each target in the last :days days before its last snapshot; among equals,
-- as tokens are, the latest.
select
    t.target_id,
    c.kind,
    c.holder,
    c.asset,
    c.token,
    c.quantity_before,
    c.quantity_after,
    c.delta,
    c.changed_after,
    c.changed_until
from mart.targets t
cross join lateral (
    select *
    from mart.changes c
    where
        c.target_id = t.target_id
        and c.kind <> 'profile'
        and c.changed_until > t.snapshot_at - make_interval(days => :days)
    order by abs(c.delta) desc, c.changed_until desc, c.key_hash
    limit :how_many
) c
where t.target_id = any(:targets)
order by t.target_id, abs(c.delta) desc, c.changed_until desc, c.key_hash;
