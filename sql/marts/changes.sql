create or replace view mart.changes as
select
    provider,
    target_id,
    target,
    label,
    change as kind,
    holder,
    asset,
    token,
    quantity_before,
    quantity_after,
    coalesce(quantity_after, 0) - coalesce(quantity_before, 0) as delta,
    changed_after,
    changed_until,
    snapshot_id,
    key_hash
from holding_changes;

comment on view mart.changes is 'What changed from each snapshot of a target to the next, and between which moments it happened; the first snapshot of a target is where they begin. One row for each change.';
comment on column mart.changes.provider is {providers};
comment on column mart.changes.target_id is 'The target that it was seen in.';
comment on column mart.changes.target is 'Identity of the target: provider:subject?options.';
comment on column mart.changes.label is 'Name given to the target by people; may be null.';
comment on column mart.changes.kind is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column mart.changes.holder is {holders};
comment on column mart.changes.asset is {assets};
comment on column mart.changes.token is {tokens};
comment on column mart.changes.quantity_before is 'Quantity before; null for what entered.';
comment on column mart.changes.quantity_after is 'Quantity after; null for what exited.';
comment on column mart.changes.delta is 'How much more it is than before; negative: less.';
comment on column mart.changes.changed_after is 'It happened after this moment: snapshot_at of the snapshot before.';
comment on column mart.changes.changed_until is 'It happened not after this moment: snapshot_until of the snapshot that showed it.';
comment on column mart.changes.snapshot_id is 'The snapshot that showed it; with target_id and key_hash the key.';
comment on column mart.changes.key_hash is 'The position that changed: first 16 bytes of SHA-256 over its key columns, each with its length before it.';
