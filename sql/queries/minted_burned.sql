-- Was any of it made or destroyed?
-- What all hold together, and how it differs from the snapshot before: an item or asset grows where
-- some is made, and shrinks where some is destroyed or leaves the list. With what was moved
-- to another blockchain, where the provider tells it. For what has amounts.
-- Parameters: since, target (its name or label; null: all).
-- With psql: -v since="'2026-10-01'" -v target=null
select target, previous_at as changed_after, snapshot_at, supply_before, supply, difference
from (
    select
        coalesce(label, target) as target,
        snapshot_at,
        lag(snapshot_at) over w as previous_at,
        lag(supply) over w as supply_before,
        supply,
        supply - lag(supply) over w as difference
    from mart.supply_and_holders
    where provider in (select provider from dataset where has_amounts)
        and (cast(:target as text) is null or :target in (target, label))
    window w as (partition by target_id order by snapshot_at)
) s
where difference <> 0 and snapshot_at > cast(:since as timestamptz)
order by target, snapshot_at;
