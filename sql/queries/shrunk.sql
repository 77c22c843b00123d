-- Which targets look empty, or shrank most?
-- Against the snapshot that answers for that moment, or else the first.
-- Parameter: since.
-- With psql: -v since="'2026-10-01'"
select
    coalesce(t.label, t.target) as target,
    b.rows as rows_then,
    t.rows as rows_now,
    p.rows_percent,
    p.quantity_percent,
    b.snapshot_at as snapshot_then,
    t.snapshot_at as snapshot_now
from mart.targets t
cross join lateral (
    select s.rows, s.quantity, s.snapshot_at
    from mart.snapshots s
    where s.target_id = t.target_id
    order by
        s.snapshot_at <= cast(:since as timestamptz) desc,
        abs(extract(epoch from s.snapshot_at - cast(:since as timestamptz)))
    limit 1
) b
cross join lateral (
    select
        round(100.0 * (t.rows - b.rows) / nullif(b.rows, 0), 2) as rows_percent,
        round(100 * (t.quantity - b.quantity) / nullif(b.quantity, 0), 2) as quantity_percent
) p
where t.retired_at is null
    and (t.rows = 0 or t.rows < b.rows or t.quantity < b.quantity)
order by t.rows > 0, least(p.rows_percent, p.quantity_percent), 1;
