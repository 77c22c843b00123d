create or replace view mart.targets as
select
    t.provider,
    t.target_id,
    t.name as target,
    t.label,
    t.subject,
    t.created_at,
    t.retired_at,
    s.snapshot_id,
    s.snapshot_at,
    s.snapshot_until,
    s.published_at,
    s.next_due_at,
    s.proof,
    s.rows,
    coalesce(s.amount_sum, s.rows) as quantity
from target t
left join lateral (
    select s.*
    from snapshot s
    where s.target_id = t.target_id
    order by s.snapshot_at desc
    limit 1
) s on true;

comment on view mart.targets is 'What is or was watched, with its last snapshot. One row for each target ever configured.';
comment on column mart.targets.provider is {providers};
comment on column mart.targets.target_id is 'Short number of the target; the key.';
comment on column mart.targets.target is 'Identity of the target: provider:subject?options.';
comment on column mart.targets.label is 'Name given to the target by people; may change, and may be null.';
comment on column mart.targets.subject is {subjects};
comment on column mart.targets.created_at is 'When the target was first seen here.';
comment on column mart.targets.retired_at is 'When the target left the list of what is watched; null while it is on it.';
comment on column mart.targets.snapshot_id is 'Its last snapshot; null before the first, and so are the columns after it.';
comment on column mart.targets.snapshot_at is 'Earliest moment whose state the last snapshot is.';
comment on column mart.targets.snapshot_until is 'Latest moment whose state the last snapshot is.';
comment on column mart.targets.published_at is 'When the last snapshot became visible here.';
comment on column mart.targets.next_due_at is 'When the next snapshot is due, by the schedule; null: taken by hand only.';
comment on column mart.targets.proof is 'Why the last snapshot is one true state: single_page, chained, chained_to_last, one_version, same_version or double_collect.';
comment on column mart.targets.rows is 'Rows of the last snapshot.';
comment on column mart.targets.quantity is 'Sum of the quantities in the last snapshot; of tokens their number.';
