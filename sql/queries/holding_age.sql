-- For how long has it been held?
-- at_least: so many of them were there before we looked. Parameter: target (its name or label;
-- null: each).
-- With psql: -v target=null
select
    coalesce(label, target) as target,
    days_from,
    days_to,
    positions,
    round(100 * share_of_positions, 2) as percent_of_positions,
    quantity,
    at_least
from mart.holding_age
where cast(:target as text) is null or :target in (target, label)
order by 1, days_from;
