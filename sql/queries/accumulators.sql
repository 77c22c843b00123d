-- Who had more at every snapshot than at the one before?
-- Parameters: since (a moment), target (its name or label; null: all).
-- With psql: -v since="'2026-10-01'" -v target=null
select
    coalesce(c.label, c.target) as target,
    c.holder,
    count(*) as times,
    sum(c.delta) as gained,
    max(c.quantity_after) as quantity
from mart.changes c
join (
    select target_id, count(*) as intervals
    from mart.snapshots
    where previous_at >= cast(:since as timestamptz)
    group by target_id
) i using (target_id)
where c.delta > 0
    and c.provider in (select provider from dataset where has_amounts)
    and c.changed_after >= cast(:since as timestamptz)
    and (cast(:target as text) is null or :target in (c.target, c.label))
group by c.target_id, c.target, c.label, c.holder, i.intervals
having count(*) = i.intervals
order by 1, gained desc, c.holder;
