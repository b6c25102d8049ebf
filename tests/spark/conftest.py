"""What the tests of Spark share: a cluster, and warehouses that Spark built.

They need what `make spark-setup` installs and Java, and are no part of `make test`: `make
test-spark` runs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from spark_cluster import Cluster, quick_jvm
from spark_worlds import Built, built_golden, built_sample

from throughline.settings import load_settings
from throughline.spark.requirements import SparkMissingError, require


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip them where Spark cannot be started, with what is missing."""
    try:
        require(load_settings({"ENGINE": "spark"}))
    except SparkMissingError as error:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=str(error)))


@pytest.fixture(scope="session", autouse=True)
def _quick(tmp_path_factory: pytest.TempPathFactory) -> None:
    quick_jvm(tmp_path_factory.mktemp("spark_conf"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and two workers on loopback, in processes of their own."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Built:
    """The sample, built on the cluster; its largest models are views in the published file."""
    return built_sample(tmp_path_factory.mktemp("sample"), cluster.address)


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The golden scenarios, the last stages built by Spark in one process."""
    return built_golden(tmp_path_factory.mktemp("golden"))
