-- What the history costs: rows in all snapshots, against the row versions that are kept for them.
select
    t.provider,
    count(distinct t.target_id) as targets,
    count(*) as snapshots,
    sum(s.rows) as rows_in_snapshots,
    min(v.versions) as versions_kept
from snapshot s
join target t using (target_id)
join (
    select provider, count(*) as versions
    from positions
    group by provider
) v using (provider)
group by t.provider
order by t.provider;
