-- How fast does the share of the ten largest grow?
-- In percentage points from one snapshot to the next, and what that is in a week.
-- Parameters: target (its name or label; null: each), since.
-- With psql: -v target=null -v since="'2026-10-01'"
select
    target,
    snapshot_at,
    round(percent, 2) as percent_of_top_10,
    round(grown, 2) as points_grown,
    round(grown * 604800 / nullif(extract(epoch from snapshot_at - previous_at), 0), 2)
        as points_a_week
from (
    select
        target_id,
        coalesce(label, target) as target,
        snapshot_at,
        lag(snapshot_at) over w as previous_at,
        100 * top_10_share as percent,
        100 * (top_10_share - lag(top_10_share) over w) as grown
    from mart.concentration
    where cast(:target as text) is null or :target in (target, label)
    window w as (partition by target_id order by snapshot_at)
) c
where snapshot_at >= cast(:since as timestamptz)
order by target, snapshot_at;
