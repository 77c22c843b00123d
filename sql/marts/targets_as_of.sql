-- Not strict: so that a query on it is planned as one.
create or replace function mart.targets_as_of(
    moment timestamptz,
    only_target text default null
)
returns table (
    provider text,
    target_id integer,
    target text,
    label text,
    subject text,
    snapshot_id bigint,
    snapshot_at timestamptz,
    snapshot_until timestamptz,
    rows bigint,
    quantity numeric
)
language sql
stable
parallel safe
begin atomic
    select
        t.provider,
        t.target_id,
        t.name,
        t.label,
        t.subject,
        s.snapshot_id,
        s.snapshot_at,
        s.snapshot_until,
        s.rows,
        coalesce(s.amount_sum, s.rows)
    from target t
    cross join lateral (
        select s.snapshot_id, s.snapshot_at, s.snapshot_until, s.rows, s.amount_sum
        from snapshot s
        where s.target_id = t.target_id and s.snapshot_at <= moment
        order by s.snapshot_at desc
        limit 1
    ) s
    where
        (t.retired_at is null or t.retired_at > moment)
        and (only_target is null or only_target in (t.name, t.label));
end;

comment on function mart.targets_as_of(timestamptz, text) is 'What was watched at a moment, with the snapshot that answers for it. The second argument picks a target by its name or label. One row for each target that had a snapshot by then and was not retired.';
