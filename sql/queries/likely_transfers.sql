-- Who probably gave how much to whom?
-- One lost just what one other gained, and nobody else lost or gained that much. A guess: small
-- amounts are often equal by chance.
-- Parameters: since, target (its name or label; null: all).
-- With psql: -v since="'2026-10-01'" -v target=null
select
    coalesce(t.label, t.target) as target,
    x.from_holder,
    x.to_holder,
    x.quantity,
    x.happened_after,
    x.happened_until
from mart.transfers_seen x
join mart.targets t on t.target_id = x.to_target_id
where x.evidence = 'amount'
    and x.happened_until > cast(:since as timestamptz)
    and (cast(:target as text) is null or :target in (t.target, t.label))
order by x.happened_until desc, x.quantity desc, 1, x.from_holder;
