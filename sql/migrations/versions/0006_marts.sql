do $$
begin
    if to_regnamespace('mart') is null then
        create schema mart;
    end if;
exception when insufficient_privilege then
    raise insufficient_privilege using
        message = format(
            '%s may not create the schema mart in this database: run holdfast roles (or'
            ' sql/roles.sql) once more as who set the roles up, then holdfast migrate again',
            current_user
        );
end
$$;

comment on schema mart is 'What analysts and dashboards ask: views and functions over all providers, in words that do not depend on one.';

-- mart.changes replaces it.
drop view if exists positions_changes;

-- Largest holders first, without reading the others.
create index on altura_item_holders_current (target_id, balance desc);
create index on catenis_asset_holders_current (target_id, total desc);

-- What held at a moment, wherever in years of history that is.
create index on altura_item_holders_history using gist (tstzrange(valid_from, valid_to));
create index on hiro_nft_holdings_history using gist (tstzrange(valid_from, valid_to));
create index on catenis_asset_holders_history using gist (tstzrange(valid_from, valid_to));


alter table snapshot add column next_due_at timestamptz;

comment on column snapshot.next_due_at is 'When the next snapshot was due, by the schedule of that time; null: taken by hand only.';


create table snapshot_concentration (
    snapshot_id bigint primary key references snapshot,
    holders bigint not null check (holders >= 0),
    top_1 numeric not null check (top_1 >= 0),
    top_10 numeric not null check (top_10 >= top_1),
    top_100 numeric not null check (top_100 >= top_10),
    gini numeric check (gini between 0 and 1),
    herfindahl numeric check (herfindahl between 0 and 1),
    nakamoto bigint check (nakamoto > 0)
);

comment on table snapshot_concentration is 'How unevenly the amount of a snapshot is spread over its holders; one row a snapshot whose rows have amounts, made after it was published.';
comment on column snapshot_concentration.snapshot_id is 'The snapshot.';
comment on column snapshot_concentration.holders is 'Holders with more than nothing.';
comment on column snapshot_concentration.top_1 is 'Amount of the largest holder.';
comment on column snapshot_concentration.top_10 is 'Amount of the ten largest holders.';
comment on column snapshot_concentration.top_100 is 'Amount of the hundred largest holders.';
comment on column snapshot_concentration.gini is 'Gini coefficient over the holders: 0 all hold the same, towards 1 one holds all. Null without holders.';
comment on column snapshot_concentration.herfindahl is 'Herfindahl-Hirschman index: sum of the squared shares, 1 when one holds all. Null without holders.';
comment on column snapshot_concentration.nakamoto is 'Nakamoto coefficient: fewest holders who together hold more than half. Null without holders.';
