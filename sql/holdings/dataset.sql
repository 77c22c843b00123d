create or replace view dataset as
select v.provider, v.name, v.title, v.has_amounts, v.target_holds, v.holder_is_key, v.lower_case
from (
    values
        {facts}
) v (provider, name, title, has_amounts, target_holds, holder_is_key, lower_case);

comment on view dataset is 'What each dataset says of itself. One row for each provider.';
comment on column dataset.provider is 'The key.';
comment on column dataset.name is 'Name of the dataset, and of the view that has all its columns.';
comment on column dataset.title is 'Name of the provider, as people write it.';
comment on column dataset.has_amounts is 'Whether its rows have amounts; else each of them is a token, which counts 1.';
comment on column dataset.target_holds is 'Whether a target is the holder of all its rows; else each row names its holder.';
comment on column dataset.holder_is_key is 'Whether a holder has one row in a target at most, found by the hash of its name.';
comment on column dataset.lower_case is 'Whether holders are kept in lower case.';
