-- Who came and left again within so many days?
-- Parameters: days, since (came after), target (its name or label; null: all).
-- With psql: -v days=7 -v since="'2026-10-01'" -v target=null
select
    coalesce(label, target) as target,
    holder,
    held_since,
    held_until,
    held_for
from mart.stints
where not at_least
    and held_until is not null
    and held_for <= make_interval(days => :days)
    and held_since > cast(:since as timestamptz)
    and (cast(:target as text) is null or :target in (target, label))
order by held_for, 1, held_since, holder;
