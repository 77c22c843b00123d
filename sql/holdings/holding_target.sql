create or replace view holding_target as
select
    t.target_id,
    t.provider,
    t.name as target,
    t.label,
    {holder_of_target} as holder,
    {asset_of_target} as asset,
    {token_of_target} as token,
    {holder_of_target} is not null as holds
from target t;

comment on view holding_target is 'What a target says of all its rows. One row for each target ever configured.';
comment on column holding_target.target_id is 'The target; the key.';
comment on column holding_target.provider is {providers};
comment on column holding_target.target is 'Identity of the target: provider:subject?options.';
comment on column holding_target.label is 'Name given to the target by people; may be null.';
comment on column holding_target.holder is 'The holder of all its rows; null where each row names its own.';
comment on column holding_target.asset is 'The asset of all its rows; null where each row names its own.';
comment on column holding_target.token is 'The token of all its rows; null where each row names its own, or none.';
comment on column holding_target.holds is 'Whether it is itself the holder of all its rows.';
