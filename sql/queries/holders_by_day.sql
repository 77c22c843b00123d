-- How many hold it day by day, and how many came and went?
-- Parameters: target (its name or label; null: each), since, until (days in UTC).
-- With psql: -v target=null -v since="'2026-10-01'" -v until="'2026-10-31'"
select
    coalesce(label, target) as target,
    day,
    holders,
    positions,
    quantity,
    entered,
    exited,
    snapshots
from mart.supply_and_holders_daily
where day between cast(:since as date) and cast(:until as date)
    and (cast(:target as text) is null or :target in (target, label))
order by 1, day;
