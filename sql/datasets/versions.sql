create or replace view {dataset} as
select
    t.target_id,
    t.name as target,
    c.key_hash,
    {columns_of_c},
    c.held_since,
    c.valid_from,
    t.retired_at as valid_to
from {current} c
join target t using (target_id)
union all
select
    t.target_id,
    t.name,
    h.key_hash,
    {columns_of_h},
    h.held_since,
    h.valid_from,
    h.valid_to
from {history} h
join target t using (target_id);

comment on view {dataset} is {about_versions};
comment on column {dataset}.target_id is {about_target};
comment on column {dataset}.target is 'Identity of the target: provider:subject?options.';
comment on column {dataset}.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
{comments_of_dataset}
comment on column {dataset}.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column {dataset}.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column {dataset}.valid_to is 'snapshot_at of the first snapshot that did not show it so any more. Null while it holds.';
