create table request_budget (
    provider text collate "C" not null,
    account text collate "C" not null,
    next_at timestamptz not null default '-infinity',
    closed_until timestamptz not null default '-infinity',
    share double precision not null default 1 check (share between 0.1 and 1),
    share_at timestamptz,
    failures integer not null default 0 check (failures >= 0),
    openings integer not null default 0 check (openings >= 0),
    down_since timestamptz,
    gives_up_at timestamptz,
    open_until timestamptz,
    probe_until timestamptz,
    answered_at timestamptz,
    failed_at timestamptz,
    last_error text,
    primary key (provider, account),
    check ((down_since is null) = (open_until is null)),
    check ((down_since is null) = (gives_up_at is null))
) with (fillfactor = 20);

comment on table request_budget is 'When the next request to a provider may go out, and how the provider answers. One row for each server and key: all processes that use this warehouse share it.';
comment on column request_budget.provider is 'The provider.';
comment on column request_budget.account is 'First 16 hexadecimal digits of SHA-256 over the server''s address and the credentials; no credential can be got from it.';
comment on column request_budget.next_at is 'When the next request may go out.';
comment on column request_budget.closed_until is 'Until when the server asked for no request.';
comment on column request_budget.share is 'Part of the limit that is used: halved where the server says that there were too many requests, a twentieth is given back for each minute after share_at.';
comment on column request_budget.share_at is 'When it was halved last; null: never.';
comment on column request_budget.failures is 'Requests in a row that failed in a way that may pass.';
comment on column request_budget.openings is 'How many times in a row the circuit breaker has opened, since the last answer.';
comment on column request_budget.down_since is 'When the circuit breaker opened, since the last answer; null while the provider answers.';
comment on column request_budget.gives_up_at is 'From when on targets are not made to wait for the next probe; null while the provider answers.';
comment on column request_budget.open_until is 'Until when no request goes out; then one does, the probe. Null while the provider answers.';
comment on column request_budget.probe_until is 'Until when the probe that is under way is waited for.';
comment on column request_budget.answered_at is 'Last answer, within a few seconds.';
comment on column request_budget.failed_at is 'Last request that failed in a way that may pass.';
comment on column request_budget.last_error is 'What it failed with.';


create table request_budget_setting (
    provider text collate "C" not null,
    account text collate "C" not null,
    requests_per_minute integer not null check (requests_per_minute > 0),
    asked_at timestamptz not null,
    primary key (provider, account, requests_per_minute)
);

comment on table request_budget_setting is 'Limits that processes are set to. The lowest of those that asked in the last five minutes holds for all of them.';
comment on column request_budget_setting.provider is 'The provider.';
comment on column request_budget_setting.account is 'As in request_budget.';
comment on column request_budget_setting.requests_per_minute is 'The limit that some process is set to.';
comment on column request_budget_setting.asked_at is 'When one of those asked last, within a minute.';
