"""The table of query parameters is what was promised, and what the documentation says."""

import re

import pytest

from photseries.fields import ANSWERED, Operator
from photseries.parameters import CONTROLS, CRITERIA
from photseries.server.catalogue.models import Series
from tools import reference

# Every parameter that the design promises, with = between two spellings.
PROMISED = """
    ra dec radius objectID objID rejectedObjectID=rejectedObjectIDs seriesName seriesObjID filter channel origin hash
    contentHash filename startBefore startAfter midBefore=midTimeBefore midAfter=midTimeAfter endBefore endAfter
    detected minNumDetected maxNumDetected expTime minExpTime maxExpTime minFrameRate maxFrameRate
    minNumExposures maxNumExposures instrumentID followupRequestID assignmentID ownerID groupID streamID
    magBrighterThan magFainterThan useRobustMagAndRMS minRMS maxRMS limitingMagBrighterThan
    limitingMagFainterThan limitingMagIsNaN=limitingMagIsNone magrefBrighterThan magrefFainterThan minMedianSNR
    maxMedianSNR minBestSNR maxBestSNR minWorstSNR maxWorstSNR stat dataFormat sortBy sortOrder pageNumber
    numPerPage cursor includeTotal fluxUnit magsys timeScale batch
    minWeightedMean maxWeightedMean minWeightedMeanError maxWeightedMeanError minChi2Dof maxChi2Dof
    minExcessVariance maxExcessVariance minExcessVarianceError maxExcessVarianceError minVonNeumann maxVonNeumann
    minMad maxMad minIqr maxIqr minSkewness maxSkewness minKurtosis maxKurtosis minStetsonK maxStetsonK
    minAmplitude maxAmplitude minP1 maxP1 minP5 maxP5 minP25 maxP25 minP75 maxP75 minP95 maxP95 minP99 maxP99
    minBeyond1Sigma maxBeyond1Sigma minBeyond2Sigma maxBeyond2Sigma minLargestChange maxLargestChange minSlope
    maxSlope minSlopeError maxSlopeError minSpan maxSpan minLargestGap maxLargestGap minMedianCadence
    maxMedianCadence minMedianError maxMedianError minPointsPerNight maxPointsPerNight minNumFlagged maxNumFlagged
    featuresOf features minPeriod maxPeriod maxFalseAlarm
"""

# What is not compared with a column of the same name.
ELSEWHERE = {
    Operator.CONE: "position",
    Operator.STATISTIC: "statistics",
    Operator.SHARED_WITH: ("group_ids", "stream_ids"),
}

ALL = (*CRITERIA, *CONTROLS)


def test_table_contains_the_documented_parameters():
    assert {frozenset(known.spellings) for known in ALL} == {frozenset(names.split("=")) for names in PROMISED.split()}


def test_spellings_are_unique():
    spellings = [name for known in ALL for name in known.spellings]
    assert len(spellings) == len({name.lower() for name in spellings})


@pytest.mark.parametrize("known", CRITERIA, ids=lambda known: known.name)
def test_a_criterion_is_about_a_column(known):
    columns = Series.__table__.columns
    if known.operator in ELSEWHERE:
        assert known.field in ELSEWHERE[known.operator]
    else:
        assert known.field in columns
    assert known.robust is None or known.robust in columns
    assert known.default is None, "a criterion that nobody gave restricts nothing"


def test_every_operator_has_a_criterion():
    assert {known.operator for known in CRITERIA} == set(Operator)


def test_bounds_come_in_pairs():
    bounds = [
        (known.field, known.kind, known.unit, known.robust) for known in CRITERIA if known.operator is Operator.AT_LEAST
    ]
    others = [
        (known.field, known.kind, known.unit, known.robust)
        for known in CRITERIA
        if known.operator is Operator.AT_MOST and known.name != "maxFalseAlarm"
    ]
    assert bounds == others
    assert len(bounds) == len(set(bounds))


def test_every_order_is_a_column_of_the_answer():
    assert len(ANSWERED) == len(set(ANSWERED))
    shared = {"group_ids", "stream_ids", "groups", "streams"}
    assert set(ANSWERED) - shared <= set(Series.__table__.columns.keys())


def test_every_default_can_be_given():
    for known in CONTROLS:
        if known.default is not None:
            assert known.kind.read(str(known.default)) == known.default


#: The section of the reference with the parameters of a search.
SEARCHES = re.split(r"^## ", reference.query(), flags=re.MULTILINE)[1]


@pytest.mark.parametrize("known", ALL, ids=lambda known: known.name)
def test_documentation_names_every_parameter(known):
    (row,) = (line for line in SEARCHES.splitlines() if line.startswith(f"| `{known.name}`"))
    assert all(f"`{name}`" in row for name in known.spellings)
    assert known.sentence.replace("|", "\\|") in row
    assert known.sentence.endswith(".")
    assert known.sentence[0].isupper()
