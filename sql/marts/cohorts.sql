-- Counted by how far each came before the days are joined: one row of few, not of each position.
create or replace view mart.cohorts as
with steps as (
    select array_agg(days) as days, array_agg(make_interval(days => days)) as after
    from unnest(array[1, 7, 30, 60, 90, 180, 365, 730]) days
)
select
    s.provider,
    s.target_id,
    s.target,
    s.label,
    s.month,
    s.at_least,
    d.days,
    sum(s.positions)::bigint as entered,
    coalesce(sum(s.positions) filter (where s.known >= d.step), 0)::bigint as observed,
    coalesce(sum(s.positions) filter (where s.held >= d.step), 0)::bigint as still_holding,
    coalesce(sum(s.positions) filter (where s.held >= d.step), 0)
    / nullif(sum(s.positions) filter (where s.known >= d.step), 0) as survival
from (
    select
        provider,
        target_id,
        target,
        label,
        date_trunc('month', held_since at time zone 'UTC')::date as month,
        at_least,
        width_bucket(known_until - held_since, steps.after) as known,
        width_bucket(held_for, steps.after) as held,
        count(*) as positions
    from mart.stints
    cross join steps
    group by provider, target_id, target, label, month, at_least, known, held
) s
cross join steps
cross join unnest(steps.days) with ordinality d (days, step)
group by s.provider, s.target_id, s.target, s.label, s.month, s.at_least, d.days;

comment on view mart.cohorts is 'Of those who entered in a month, how many still held after so many days, without a break. One row for each target, month of entry and number of days.';
comment on column mart.cohorts.provider is {providers};
comment on column mart.cohorts.target_id is 'The target; with month, at_least and days the key.';
comment on column mart.cohorts.target is 'Identity of the target: provider:subject?options.';
comment on column mart.cohorts.label is 'Name given to the target by people; may be null.';
comment on column mart.cohorts.month is 'First day of the month (UTC) in which they were first seen.';
comment on column mart.cohorts.at_least is 'Those that were there in the first snapshot of the target: when they entered is not known.';
comment on column mart.cohorts.days is 'So many days after they were first seen.';
comment on column mart.cohorts.entered is 'Positions that were entered in that month; who left and came back counts again.';
comment on column mart.cohorts.observed is 'Those of them that were first seen so many days before the last snapshot or earlier.';
comment on column mart.cohorts.still_holding is 'Those of them that were held for so many days.';
comment on column mart.cohorts.survival is 'still_holding as a share of observed, 0 to 1; null while none can be told.';
