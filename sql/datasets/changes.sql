create or replace view {changes} as
select
    s.snapshot_id,
    s.target_id,
    t.name as target,
    p.snapshot_at as changed_after,
    s.snapshot_until as changed_until,
    d.change,
    d.key_hash,
    {changed_columns}
from snapshot s
join snapshot p on p.snapshot_id = s.previous_id
join target t on t.target_id = s.target_id
cross join lateral (
    select
        case
            when o.key_hash is null then 'entered'
            when n.key_hash is null then 'exited'
            {kinds}
            else 'profile'
        end as change,
        coalesce(n.key_hash, o.key_hash) as key_hash,
        {columns_of_both}
    from (
        select c.key_hash, {columns_in_c}
        from {current} c
        where c.target_id = s.target_id and c.valid_from = s.snapshot_at
        union all
        select h.key_hash, {columns_in_h}
        from {history} h
        where h.target_id = s.target_id and h.valid_from = s.snapshot_at
    ) n
    full join (
        select h.key_hash, {columns_in_h}
        from {history} h
        where h.target_id = s.target_id and h.valid_to = s.snapshot_at
    ) o using (key_hash)
) d;

comment on view {changes} is 'What changed from each snapshot of a target to the next; the first snapshot is where they begin.';
comment on column {changes}.snapshot_id is 'The snapshot that showed the change.';
comment on column {changes}.target_id is {about_target};
comment on column {changes}.target is 'Identity of the target: provider:subject?options.';
comment on column {changes}.changed_after is 'The change happened after this moment: snapshot_at of the snapshot before.';
comment on column {changes}.changed_until is 'The change happened not after this moment: snapshot_until of this snapshot.';
comment on column {changes}.change is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column {changes}.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
{comments_of_changes}
