-- How many leave each week?
-- Weeks begin on Monday, UTC. What was seen after a gap counts in the week that showed it.
-- Parameters: target (its name or label; null: each), since (a day).
-- With psql: -v target=null -v since="'2026-10-01'"
select
    target,
    week,
    snapshots,
    held_before,
    entered,
    exited,
    held_after,
    round(100.0 * exited / nullif(held_before, 0), 2) as churn_percent
from (
    select
        target_id,
        coalesce(label, target) as target,
        week,
        sum(snapshots) as snapshots,
        lag((array_agg(positions order by day desc))[1])
            over (partition by target_id order by week) as held_before,
        coalesce(sum(entered), 0) as entered,
        coalesce(sum(exited), 0) as exited,
        (array_agg(positions order by day desc))[1] as held_after
    from mart.supply_and_holders_daily
    cross join lateral (
        select cast(date_trunc('week', cast(day as timestamp)) as date) as week
    ) w
    where cast(:target as text) is null or :target in (target, label)
    group by target_id, target, label, week
) weeks
where week >= cast(:since as date)
order by target, week;
