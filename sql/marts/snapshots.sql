create or replace view mart.snapshots as
select
    t.provider,
    s.target_id,
    t.name as target,
    t.label,
    s.snapshot_id,
    s.snapshot_at,
    s.snapshot_until,
    p.snapshot_at as previous_at,
    s.snapshot_at - p.snapshot_at as since_previous,
    p.next_due_at as due_at,
    case when s.started_at > p.next_due_at then s.started_at - p.next_due_at end as begun_late_by,
    s.proof,
    s.rows,
    coalesce(s.amount_sum, s.rows) as quantity,
    s.entered,
    s.exited,
    s.increased,
    s.decreased,
    s.reacquired,
    s.profile,
    s.migrated_amount as migrated_quantity,
    s.scheduled_at,
    s.published_at,
    s.walks,
    s.pages,
    s.requests,
    s.seconds,
    s.cut_attributes,
    s.reordered
from snapshot s
join target t using (target_id)
left join snapshot p on p.snapshot_id = s.previous_id;

comment on view mart.snapshots is 'When each target was seen, why that is one true state, and what had changed. One row for each snapshot.';
comment on column mart.snapshots.provider is {providers};
comment on column mart.snapshots.target_id is 'The target.';
comment on column mart.snapshots.target is 'Identity of the target: provider:subject?options.';
comment on column mart.snapshots.label is 'Name given to the target by people; may be null.';
comment on column mart.snapshots.snapshot_id is 'Number of the snapshot; the key.';
comment on column mart.snapshots.snapshot_at is 'Earliest moment whose state the rows are; what is new in them is valid from here.';
comment on column mart.snapshots.snapshot_until is 'Latest moment whose state the rows are.';
comment on column mart.snapshots.previous_at is 'snapshot_at of the snapshot before; null for the first.';
comment on column mart.snapshots.since_previous is 'Time between the two: how wide the bounds of a change are.';
comment on column mart.snapshots.due_at is 'When it was due, by the schedule at the time of the snapshot before; null: not scheduled.';
comment on column mart.snapshots.begun_late_by is 'How long after that its first page was asked for; null where it was not late or not scheduled. Much more than the wait for other targets is a gap.';
comment on column mart.snapshots.proof is 'Why the rows are one true state: single_page, chained, chained_to_last, one_version, same_version or double_collect.';
comment on column mart.snapshots.rows is 'Rows in the snapshot.';
comment on column mart.snapshots.quantity is 'Sum of the quantities; of tokens their number.';
comment on column mart.snapshots.entered is 'Rows that were not in the snapshot before; all of them in the first one.';
comment on column mart.snapshots.exited is 'Rows of the snapshot before that are gone.';
comment on column mart.snapshots.increased is 'Rows whose quantity grew.';
comment on column mart.snapshots.decreased is 'Rows whose quantity shrank.';
comment on column mart.snapshots.reacquired is 'Rows that left and came back in between: held by another transaction now.';
comment on column mart.snapshots.profile is 'Rows of which only attributes differ.';
comment on column mart.snapshots.migrated_quantity is 'Amount moved to another blockchain, where the provider tells it, which belongs to no holder and is not in quantity.';
comment on column mart.snapshots.scheduled_at is 'The tick that it was scheduled for; null when taken by hand.';
comment on column mart.snapshots.published_at is 'When the rows became visible here.';
comment on column mart.snapshots.walks is 'Walks it took until one could be proven.';
comment on column mart.snapshots.pages is 'Pages read, over all these walks.';
comment on column mart.snapshots.requests is 'Requests sent, repeated ones included.';
comment on column mart.snapshots.seconds is 'Seconds from the first request to the last answer.';
comment on column mart.snapshots.cut_attributes is 'Attributes that were too long and were cut, with their hash kept.';
comment on column mart.snapshots.reordered is 'Whether rows stood elsewhere than the snapshots before say, as after a reorganisation of the chain; false where the order of the rows is not kept.';
