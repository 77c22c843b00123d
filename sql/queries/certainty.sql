-- How sure are we when a change happened?
-- A change lies between two moments; this is how far they are apart, over all changes of a target.
-- Parameters: since, target (its name or label; null: each).
-- With psql: -v since="'2026-10-01'" -v target=null
select
    coalesce(label, target) as target,
    count(*) as changes,
    min(width) as narrowest,
    percentile_disc(0.5) within group (order by width) as half_within,
    percentile_disc(0.95) within group (order by width) as almost_all_within,
    max(width) as widest
from (
    select *, changed_until - changed_after as width
    from mart.changes
) c
where changed_until > cast(:since as timestamptz)
    and (cast(:target as text) is null or :target in (target, label))
group by target_id, target, label
order by widest desc, 1;
