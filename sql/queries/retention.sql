-- Of those who came in a month, how many percent still held after so many days?
-- Without those who were there before we looked; null where it can't be told yet.
-- Parameter: target (its name or label; null: each).
-- With psql: -v target=null
select
    coalesce(label, target) as target,
    month,
    max(entered) as entered,
    round(100 * max(survival) filter (where days = 1), 1) as day_1,
    round(100 * max(survival) filter (where days = 7), 1) as day_7,
    round(100 * max(survival) filter (where days = 30), 1) as day_30,
    round(100 * max(survival) filter (where days = 90), 1) as day_90,
    round(100 * max(survival) filter (where days = 365), 1) as day_365
from mart.cohorts
where not at_least
    and (cast(:target as text) is null or :target in (target, label))
group by target_id, target, label, month
order by 1, month;
