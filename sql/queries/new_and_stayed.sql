-- Which new holders since that day have stayed for thirty days?
-- stayed is null where it can't be told yet: they hold still, but came less than that ago.
-- Without the targets that are the holder themselves.
-- Parameters: since, days, target (its name or label; null: all).
-- With psql: -v since="'2026-10-01'" -v days=30 -v target=null
select
    coalesce(label, target) as target,
    holder,
    held_since,
    held_until,
    held_for,
    case
        when held_for >= make_interval(days => :days) then true
        when held_until is not null then false
    end as stayed
from mart.stints
where not at_least
    and provider in (select provider from dataset where not target_holds)
    and held_since > cast(:since as timestamptz)
    and (cast(:target as text) is null or :target in (target, label))
order by 1, stayed desc nulls last, held_since, holder;
