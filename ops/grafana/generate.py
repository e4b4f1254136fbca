"""Writes the dashboard for Grafana to standard output: make -C ops/grafana

Import chainfirst.json in Grafana (Dashboards, New, Import). It asks which Prometheus, and shows one daemon or
several (`instance`).
"""

import sys
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${source}")
OURS = '{job="chainfirst",instance=~"$instance"}'
HEIGHT = 7
SMALL = 4


@dataclass(frozen=True)
class Query:
    """`text`: with `@` for the labels that say which daemon; `legend`: a name, with {{label}}."""

    text: str
    legend: str

    @property
    def expression(self) -> str:
        """As Prometheus wants it."""
        return self.text.replace("@,", OURS[:-1] + ",").replace("@", OURS)


def graph(title: str, what: str, unit: str, *queries: Query, width: int = 8) -> timeseries.Panel:
    """Lines over time. `unit`: Grafana's name of it."""
    legend = common.VizLegendOptions()
    legend.display_mode(common_models.LegendDisplayMode.LIST).placement(common_models.LegendPlacement.BOTTOM)
    panel = timeseries.Panel().title(title).description(what).unit(unit).datasource(SOURCE)
    panel.height(HEIGHT).span(width).legend(legend.show_legend(True)).fill_opacity(8).min(0)
    for query in queries:
        panel.with_target(_target(query))
    return panel


def number(title: str, what: str, unit: str, query: Query, width: int = 4) -> stat.Panel:
    """What it is now."""
    panel = stat.Panel().title(title).description(what).unit(unit).datasource(SOURCE)
    return panel.height(SMALL).span(width).with_target(_target(query))


def _target(query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expression).legend_format(query.legend).datasource(SOURCE)


def quantile(share: float, metric: str, by: str, legend: str) -> Query:
    """Of a histogram, over Grafana's own window."""
    rate = f"rate(chainfirst_{metric}_bucket@[$__rate_interval])"
    return Query(f"histogram_quantile({share}, sum by (le, {by}) ({rate}))", legend)


def rate(metric: str, by: str, legend: str) -> Query:
    """Of a counter, a second."""
    return Query(f"sum by ({by}) (rate(chainfirst_{metric}@[$__rate_interval]))", legend)


def chain() -> list[timeseries.Panel | stat.Panel]:
    """Where the chain is, and how far the database."""
    return [
        number(
            "Head",
            "The highest block that a node has announced",
            "none",
            Query("max(chainfirst_head_block@)", ""),
        ),
        number(
            "Behind",
            "Blocks between the head and the index",
            "none",
            Query("max(chainfirst_head_block@ - chainfirst_indexed_block@)", ""),
        ),
        number(
            "Last head",
            "How long ago a new head arrived, by the daemon's clock",
            "s",
            Query("time() - max(chainfirst_head_arrived_timestamp_seconds@)", ""),
        ),
        number(
            "Final",
            "The highest block that can't be reorganised away",
            "none",
            Query("max(chainfirst_final_block@)", ""),
        ),
        number(
            "Reorganisations",
            "In the last day",
            "none",
            Query("sum(increase(chainfirst_reorgs_total@[1d]))", ""),
        ),
        number(
            "Replaced",
            "Blocks that reorganisations took away, in the last day",
            "none",
            Query("sum(increase(chainfirst_reorg_depth_blocks_sum@[1d]))", ""),
        ),
        graph(
            "Blocks",
            "Head, index and final block",
            "none",
            Query("chainfirst_head_block@", "head {{instance}}"),
            Query("chainfirst_indexed_block@", "indexed {{instance}}"),
            Query("chainfirst_final_block@", "final {{instance}}"),
            width=12,
        ),
        graph(
            "Age by block time",
            "How much older than the head the indexed and the final block are",
            "s",
            Query(
                "chainfirst_head_block_timestamp_seconds@ - chainfirst_indexed_block_timestamp_seconds@",
                "indexed {{instance}}",
            ),
            Query(
                "chainfirst_head_block_timestamp_seconds@ - chainfirst_final_block_timestamp_seconds@",
                "final {{instance}}",
            ),
            width=12,
        ),
    ]


def indexing() -> list[timeseries.Panel | stat.Panel]:
    """What comes into the database, and how fast."""
    return [
        graph(
            "Events",
            "Stored a second",
            "cps",
            rate("events_total", "contract, event", "{{contract}}.{{event}}"),
        ),
        graph(
            "Batch",
            "95 of 100 are faster: reading and decoding it, and writing it",
            "s",
            quantile(0.95, "batch_seconds", "mode, phase", "{{mode}} {{phase}}"),
        ),
        graph(
            "Odd logs",
            "Undecoded ones, those that are nobody's, and empty answers that were checked",
            "none",
            Query("sum(increase(chainfirst_undecoded_total@[1h]))", "undecoded"),
            Query("sum(increase(chainfirst_foreign_logs_total@[1h]))", "foreign"),
            Query("sum(increase(chainfirst_second_answers_total@[1h]))", "second answers"),
        ),
        graph(
            "Sources that catch up",
            "Added later, and not at the head yet",
            "none",
            Query("sum by (contract) (chainfirst_source_syncing@)", "{{contract}}"),
        ),
        graph(
            "Children",
            "Contracts that factories have announced",
            "none",
            Query("chainfirst_children@", "{{factory}}"),
        ),
        graph(
            "Differences",
            "Between ledger and events, and between ledger and contracts",
            "none",
            Query("chainfirst_ledger_differences@", "{{relation}}"),
            Query("chainfirst_differences@", "{{what}}"),
        ),
    ]


def intents() -> list[timeseries.Panel | stat.Panel]:
    """What is asked of the chain, and the keys that sign it."""
    return [
        graph(
            "Open intents", "By status", "none", Query("sum by (status) (chainfirst_intents@)", "{{status}}")
        ),
        graph(
            "Ended intents", "A second, by how", "cps", rate("intents_ended_total", "outcome", "{{outcome}}")
        ),
        graph(
            "From asked to …",
            "Half of them are faster",
            "s",
            quantile(0.5, "intent_seconds", "stage", "{{stage}}"),
        ),
        graph(
            "Waiting for somebody",
            "By what; and all that somebody must look at",
            "none",
            Query("chainfirst_intents_waiting_for@", "{{what}}"),
            Query("chainfirst_intents_alert@", "all"),
        ),
        graph(
            "Oldest open intent",
            "How long it has been due",
            "s",
            Query(
                "(time() - chainfirst_oldest_open_intent_timestamp_seconds@)"
                " * (chainfirst_oldest_open_intent_timestamp_seconds@ > bool 0)",
                "{{instance}}",
            ),
        ),
        graph(
            "Treasury",
            "In token units: what it has, what the factory may take, what open investments will",
            "none",
            Query("chainfirst_treasury_balance_units@", "balance"),
            Query("chainfirst_treasury_allowance_units@", "allowance"),
            Query("chainfirst_treasury_wanted_units@", "wanted"),
        ),
        graph(
            "In flight",
            "Transactions in no block, and in no final one",
            "none",
            Query("chainfirst_lane_in_flight_transactions@", "{{lane}} in no block"),
            Query("chainfirst_lane_open_transactions@", "{{lane}} open"),
        ),
        graph(
            "Sends",
            "A second, by the node's answer; and nonces signed again",
            "cps",
            rate("sends_total", "answer", "{{answer}}"),
            rate("signed_again_total", "purpose", "signed again: {{purpose}}"),
        ),
        graph(
            "Nonces",
            "Taken next, and first unmined",
            "none",
            Query("chainfirst_lane_next_nonce@", "{{lane}} next"),
            Query("chainfirst_lane_mined_nonce@", "{{lane}} mined"),
        ),
        graph("Balance of the keys", "In wei", "none", Query("chainfirst_lane_balance_wei@", "{{lane}}")),
        graph(
            "Lanes that need somebody",
            "1: yes",
            "none",
            Query("chainfirst_lane_blocked@", "{{lane}} stopped"),
            Query("chainfirst_lane_paused@", "{{lane}} paused"),
            Query("chainfirst_lane_alert@", "{{lane}} {{why}}"),
        ),
        graph(
            "Rules",
            "Wishes that ended badly, and campaigns that are held up",
            "none",
            Query("sum(chainfirst_rules_held@)", "held"),
            Query("sum(chainfirst_pauses@)", "pauses"),
        ),
    ]


def rpc() -> list[timeseries.Panel | stat.Panel]:
    """The nodes that are asked."""
    return [
        graph(
            "Requests",
            "A second, by method",
            "reqps",
            rate("rpc_requests_total", "endpoint, method", "{{method}}"),
        ),
        graph(
            "Errors",
            "A second, by class",
            "reqps",
            rate("rpc_errors_total", "endpoint, error", "{{endpoint}} {{error}}"),
        ),
        graph(
            "Answers",
            "95 of 100 are faster",
            "s",
            quantile(0.95, "rpc_seconds", "endpoint, method", "{{method}}"),
        ),
        graph(
            "Endpoints",
            "1: usable, in use",
            "none",
            Query("chainfirst_endpoint_usable@", "{{endpoint}} usable"),
            Query("chainfirst_endpoint_in_use@", "{{endpoint}} in use"),
        ),
        graph(
            "Their heads",
            "At the last check",
            "none",
            Query("chainfirst_endpoint_head_block@", "{{endpoint}}"),
        ),
        graph(
            "Failures in a row",
            "And how long a check takes",
            "none",
            Query("chainfirst_endpoint_failures@", "{{endpoint}} failures"),
            Query("chainfirst_endpoint_latency_seconds@", "{{endpoint}} seconds"),
        ),
    ]


def database() -> list[timeseries.Panel | stat.Panel]:
    """PostgreSQL as the daemon sees it."""
    return [
        graph("Size", "Of the whole database", "bytes", Query("chainfirst_database_bytes@", "{{instance}}")),
        graph(
            "Largest tables",
            "Of events, with their indexes",
            "bytes",
            Query("topk(10, chainfirst_table_bytes@)", "{{table}}"),
        ),
        graph(
            "Statements",
            "95 of 100 are faster, by who asks",
            "s",
            quantile(0.95, "database_seconds", "part", "{{part}}"),
        ),
        graph(
            "Statements a second", "By who asks", "cps", rate("database_seconds_count", "part", "{{part}}")
        ),
        graph(
            "Errors",
            "That ended a step or a job, in ten minutes",
            "none",
            Query("sum by (part) (increase(chainfirst_database_errors_total@[10m]))", "{{part}}"),
        ),
        graph(
            "Reachable",
            "1: the indexer has its session",
            "none",
            Query("chainfirst_database_reachable@", "{{instance}}"),
        ),
    ]


def process() -> list[timeseries.Panel | stat.Panel]:
    """The daemon itself."""
    return [
        number("Leads", "How many daemons lead", "none", Query("sum(chainfirst_leader@)", "")),
        number("Runs since", "Of the youngest", "s", Query("time() - max(process_start_time_seconds@)", "")),
        number("Version", "That runs", "none", Query("chainfirst_build_info@", "{{version}}")),
        graph(
            "Memory", "Resident", "bytes", Query("process_resident_memory_bytes@", "{{instance}}"), width=12
        ),
        graph(
            "Processor",
            "Cores in use",
            "none",
            Query("rate(process_cpu_seconds_total@[$__rate_interval])", "{{instance}}"),
        ),
        graph(
            "Steps since",
            "How long ago each part's last one succeeded",
            "s",
            Query("time() - chainfirst_last_step_timestamp_seconds@", "{{part}}"),
        ),
        graph(
            "Periodic jobs",
            "How long they take on average",
            "s",
            Query(
                "rate(chainfirst_job_seconds_sum@[1h]) / rate(chainfirst_job_seconds_count@[1h])", "{{task}}"
            ),
        ),
        graph(
            "Jobs that failed",
            "In an hour",
            "none",
            Query("increase(chainfirst_jobs_failed_total@[1h])", "{{task}}"),
        ),
        graph("Open files", "Of the process", "none", Query("process_open_fds@", "{{instance}}")),
    ]


ROWS = {
    "Chain": chain,
    "Indexing": indexing,
    "Intents": intents,
    "RPC": rpc,
    "Database": database,
    "Process": process,
}


def build() -> str:
    """The dashboard as JSON, always the same."""
    made = dashboard.Dashboard("chainfirst").uid("chainfirst").tags(["chainfirst"]).refresh("15s")
    made.time("now-3h", "now").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    instances = dashboard.QueryVariable("instance").label("Daemon").datasource(SOURCE)
    instances.query('label_values(chainfirst_build_info{job="chainfirst"}, instance)')
    instances.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True).include_all(True)
    made.with_variable(instances)
    for title, panels in ROWS.items():
        made.with_row(dashboard.Row(title))
        for panel in panels():
            made.with_panel(panel)
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build())


if __name__ == "__main__":
    sys.stdout.write(build() + "\n")
