-- A branch reads one table and nothing else, and so does whoever unites this view with another: only
-- then does Postgres take the unions apart, so that an order or a bound reaches the index of each
-- table, and a row passes no node in between.
create or replace view holding_rows_history as
{branches_of_history};

comment on view holding_rows_history is 'What the rows of all datasets said, with the time until which, without what only their target says. One row for each version of a position that has ended; holding_history has all of it.';
comment on column holding_rows_history.provider is {providers};
comment on column holding_rows_history.target_id is 'The target that it was seen in. The same holding can be seen in two targets with different options.';
comment on column holding_rows_history.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column holding_rows_history.holder is 'What the row itself says; null where holding_target says it for all rows of the target.';
comment on column holding_rows_history.asset is 'What the row itself says; null where holding_target says it for all rows of the target.';
comment on column holding_rows_history.token is 'What the row itself says; null where holding_target says it for all rows of the target.';
comment on column holding_rows_history.quantity is 'Amount held; 1 for a non-fungible token.';
comment on column holding_rows_history.one_per_holder is 'Whether this is all that the holder has in the target; else several rows may be of one holder.';
comment on column holding_rows_history.acquisition is 'Transaction by which the holder got it; null where the provider names none.';
comment on column holding_rows_history.height is 'Block of that transaction; null where the provider names none.';
comment on column holding_rows_history.attributes is 'All else that the provider says of it, as text, in the order of the columns of its dataset.';
comment on column holding_rows_history.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column holding_rows_history.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column holding_rows_history.valid_to is 'snapshot_at of the first snapshot that did not show it so any more.';
