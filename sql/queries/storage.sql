-- What does the history cost, against storing every snapshot whole?
-- Rows in all snapshots, and the row versions that are kept for them.
select
    s.provider,
    count(distinct s.target_id) as targets,
    count(*) as snapshots,
    sum(s.rows) as rows_in_snapshots,
    min(v.versions) as versions_kept
from mart.snapshots s
join (
    select provider, count(*) as versions
    from (
        select provider from holding_current
        union all
        select provider from holding_history
    ) version
    group by provider
) v using (provider)
group by s.provider
order by s.provider;
