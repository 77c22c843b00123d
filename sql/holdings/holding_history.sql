-- The target is left out of the plan where nothing is asked for that it says.
create or replace view holding_history as
select
    h.provider,
    h.target_id,
    t.name as target,
    h.key_hash,
    {holder} as holder,
    {asset} as asset,
    {token} as token,
    h.quantity,
    h.one_per_holder,
    h.acquisition,
    h.height,
    h.attributes,
    h.held_since,
    h.valid_from,
    h.valid_to
from holding_rows_history h
left join target t on t.target_id = h.target_id;

comment on view holding_history is 'All that was held, in all datasets, with the time until which. One row for each version of a position that has ended.';
comment on column holding_history.provider is {providers};
comment on column holding_history.target_id is 'The target that it was seen in. The same holding can be seen in two targets with different options.';
comment on column holding_history.target is 'Identity of the target: provider:subject?options.';
comment on column holding_history.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column holding_history.holder is {holders};
comment on column holding_history.asset is {assets};
comment on column holding_history.token is {tokens};
comment on column holding_history.quantity is 'Amount held; 1 for a non-fungible token.';
comment on column holding_history.one_per_holder is 'Whether this is all that the holder has in the target; else several rows may be of one holder.';
comment on column holding_history.acquisition is 'Transaction by which the holder got it; null where the provider names none.';
comment on column holding_history.height is 'Block of that transaction; null where the provider names none.';
comment on column holding_history.attributes is 'All else that the provider says of it, as text, in the order of the columns of its dataset.';
comment on column holding_history.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column holding_history.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column holding_history.valid_to is 'snapshot_at of the first snapshot that did not show it so any more.';
