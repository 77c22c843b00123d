create or replace view mart.freshness as
select
    t.provider,
    t.target_id,
    t.target,
    t.label,
    case
        when f.unproven_ticks > 0 then 'failing'
        when t.snapshot_id is null then 'never taken'
        when t.next_due_at < now() then 'late'
        else 'on time'
    end as state,
    t.snapshot_at as last_snapshot_at,
    date_trunc('second', now() - t.snapshot_at) as age,
    t.next_due_at as due_at,
    case
        when t.next_due_at < now() then date_trunc('second', now() - t.next_due_at)
    end as late_by,
    coalesce(f.unproven_ticks, 0) as unproven_ticks,
    f.last_failure_at,
    f.reason,
    f.message,
    t.rows,
    t.proof
from mart.targets t
left join lateral (
    select
        count(distinct w.run_key) as unproven_ticks,
        max(w.failed_at) as last_failure_at,
        (array_agg(w.reason order by w.failed_at desc))[1] as reason,
        (array_agg(w.message order by w.failed_at desc))[1] as message
    from walk_failure w
    where w.target_id = t.target_id and w.failed_at > coalesce(t.published_at, '-infinity')
) f on f.unproven_ticks > 0
-- Watched again, and not proven yet: a target returns with its next snapshot.
where t.retired_at is null or f.last_failure_at > t.retired_at;

comment on view mart.freshness is 'How old what we know of each target is, whether the next snapshot is overdue, and what has failed since. One row for each target that is watched.';
comment on column mart.freshness.provider is {providers};
comment on column mart.freshness.target_id is 'The target; the key.';
comment on column mart.freshness.target is 'Identity of the target: provider:subject?options.';
comment on column mart.freshness.label is 'Name given to the target by people; may be null.';
comment on column mart.freshness.state is 'failing: tried since the last snapshot and not proven; never taken; late: due and not there; on time: not due, or taken by hand only.';
comment on column mart.freshness.last_snapshot_at is 'snapshot_at of the last snapshot; null before the first.';
comment on column mart.freshness.age is 'Time since then.';
comment on column mart.freshness.due_at is 'When the next snapshot is due, by the schedule at the time of the last one; null: taken by hand only.';
comment on column mart.freshness.late_by is 'Time since then, where it is past; a snapshot takes some of it in the best case.';
comment on column mart.freshness.unproven_ticks is 'Ticks or runs since the last snapshot in which none could be published.';
comment on column mart.freshness.last_failure_at is 'When the last of these was given up.';
comment on column mart.freshness.reason is 'Its kind: TornWalk, Unreachable, MalformedAnswer, HeldBack, ….';
comment on column mart.freshness.message is 'What happened then, where, and what to do.';
comment on column mart.freshness.rows is 'Rows of the last snapshot.';
comment on column mart.freshness.proof is 'Why the last snapshot is one true state.';
