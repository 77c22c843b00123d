-- Tables are made from one template from here on, which knows no provider.
comment on column hiro_nft_holdings_current.place is 'Where the row stands in the provider''s list, newest first: a row with a higher place stands further up. Null until the first snapshot that keeps it.';

comment on column target.provider is 'Name of the provider.';

-- holding_current and holding_history replace it.
drop view if exists positions;
