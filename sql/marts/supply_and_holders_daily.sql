create or replace view mart.supply_and_holders_daily as
select
    t.provider,
    t.target_id,
    t.name as target,
    t.label,
    d.day::date as day,
    l.holders,
    l.positions,
    l.quantity,
    l.supply,
    coalesce(n.snapshots, 0) as snapshots,
    n.entered,
    n.exited,
    l.snapshot_at as known_at,
    l.snapshot_id
from target t
cross join lateral (
    select
        date_trunc('day', min(s.snapshot_at) at time zone 'UTC') as first_day,
        date_trunc('day', max(s.snapshot_at) at time zone 'UTC') as last_day
    from snapshot s
    where s.target_id = t.target_id
) span
cross join lateral (
    select day, day at time zone 'UTC' as begins
    from generate_series(span.first_day, span.last_day, interval '1 day') day
) d
cross join lateral (
    select s.snapshot_id, s.snapshot_at, s.holders, s.positions, s.quantity, s.supply
    from mart.supply_and_holders s
    where s.target_id = t.target_id and s.snapshot_at < d.begins + interval '24 hours'
    order by s.snapshot_at desc
    limit 1
) l
left join lateral (
    select count(*) as snapshots, sum(s.entered) as entered, sum(s.exited) as exited
    from mart.supply_and_holders s
    where
        s.target_id = t.target_id
        and s.snapshot_at >= d.begins
        and s.snapshot_at < d.begins + interval '24 hours'
) n on n.snapshots > 0;

comment on view mart.supply_and_holders_daily is 'mart.supply_and_holders by UTC day: what was known at the end of each. One row for each target and day from its first snapshot to its last, also where there was no snapshot.';
comment on column mart.supply_and_holders_daily.provider is {providers};
comment on column mart.supply_and_holders_daily.target_id is 'The target; with day the key.';
comment on column mart.supply_and_holders_daily.target is 'Identity of the target: provider:subject?options.';
comment on column mart.supply_and_holders_daily.label is 'Name given to the target by people; may be null.';
comment on column mart.supply_and_holders_daily.day is 'The day, in UTC.';
comment on column mart.supply_and_holders_daily.holders is 'Holders at the last snapshot until the end of the day; of a target that is the holder itself 1, or 0.';
comment on column mart.supply_and_holders_daily.positions is 'Rows of that snapshot: holders, or tokens where these are what the target consists of.';
comment on column mart.supply_and_holders_daily.quantity is 'Sum of what the holders held; of tokens their number.';
comment on column mart.supply_and_holders_daily.supply is 'quantity and what was moved to another blockchain, where the provider tells it.';
comment on column mart.supply_and_holders_daily.snapshots is 'Snapshots of that day; 0: the numbers are those of a day before.';
comment on column mart.supply_and_holders_daily.entered is 'Rows that came between one snapshot and the next, summed over the day: who came and left counts twice. Null without snapshots that could tell.';
comment on column mart.supply_and_holders_daily.exited is 'Rows that went, likewise.';
comment on column mart.supply_and_holders_daily.known_at is 'snapshot_at of the snapshot that the numbers are of.';
comment on column mart.supply_and_holders_daily.snapshot_id is 'That snapshot.';
