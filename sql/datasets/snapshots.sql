create or replace view {snapshots} as
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name as target,
    c.key_hash,
    {columns_of_c},
    c.held_since
from snapshot s
join target t on t.target_id = s.target_id
join {current} c on c.target_id = s.target_id and c.valid_from <= s.snapshot_at
union all
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name,
    h.key_hash,
    {columns_of_h},
    h.held_since
from snapshot s
join target t on t.target_id = s.target_id
join {history} h
    on h.target_id = s.target_id
    and h.valid_from <= s.snapshot_at
    and h.valid_to > s.snapshot_at;

comment on view {snapshots} is {about_snapshots};
comment on column {snapshots}.snapshot_id is 'The snapshot.';
comment on column {snapshots}.snapshot_at is 'Earliest moment whose state the rows are.';
comment on column {snapshots}.target_id is {about_target};
comment on column {snapshots}.target is 'Identity of the target: provider:subject?options.';
comment on column {snapshots}.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
{comments_of_snapshots}
comment on column {snapshots}.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
