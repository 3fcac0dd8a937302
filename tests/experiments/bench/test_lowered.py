"""What the bench counts by hand is what the programs hold that are lowered for a GPU."""

import argparse
import math
import re

import pytest

from experiments.bench import jobs

pytestmark = pytest.mark.slow

N, D, K = 1500, 96, 7
ARGS = argparse.Namespace(rows=N, features=D, classes=K, budget=3)
PHI = f"tensor<{N}x{D}xf32>"
PRODUCT = re.compile(r"dot_general .*g_dims = \[([\d, ]*)\] x .* : \(tensor<([\dx]+)xf32>.*-> tensor<([\dx]*)x?f32>")
TAKES_A_ROW = ("gather", "slice")
HANDS_ON = ("while", "func.func", "func.call", "call @", "return", "case", "optimization_barrier")


def text_of(job):
    function, arguments = job.once or (job.function, job.args)
    return function.trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()


def sizes(shape):
    return [int(size) for size in shape.split("x") if size]


def operations(text):
    """Additions and multiplications of the products over all rows of the pool."""
    total = 0
    for line in text.splitlines():
        if (found := PRODUCT.search(line)) and N in (*sizes(found[2]), *sizes(found[3])):
            summed = [sizes(found[2])[int(axis)] for axis in found[1].split(",") if axis]
            total += 2 * math.prod(sizes(found[3])) * math.prod(summed)
    return total


def passes(text):
    """How many operations read all of Phi: not those that take a row of it, nor what hands it on."""
    lines = (line for line in text.splitlines() if PHI in line.split("->")[0] and "stablehlo." in line)
    return sum(not any(word in line for word in (*TAKES_A_ROW, *HANDS_ON)) for line in lines)


@pytest.mark.parametrize("which", [0, 1], ids=["least_confidence", "bald"])
def test_a_label(which):
    """One pass over Phi, and the products of the model; what does not grow with N is left out of both."""
    text = text_of(list(jobs.cycle_jobs(ARGS))[which])
    assert passes(text) == 1
    expected = jobs.label_work(N, D, K).flops - 2 * D * D
    assert operations(text) == (expected if which == 0 else pytest.approx(expected, rel=0.15))


def test_posterior_and_pool():
    (job,) = jobs.update_jobs(ARGS)
    text = text_of(job)
    assert passes(text) == 1 and operations(text) == job.work.flops - 4 * D * D


def test_a_fit_and_what_it_says_of_the_pool():
    fit, predict = jobs.laplace_jobs(ARGS)
    assert operations(text_of(fit)) == fit.work.flops - D**3 / 3 - 2 * D**3
    assert operations(text_of(predict)) == pytest.approx(predict.work.flops, rel=0.02)


def test_a_product_more_would_be_seen():
    (job,) = jobs.update_jobs(ARGS)
    text = text_of(job)
    twice = text + "\n".join(line for line in text.splitlines() if "dot_general" in line and PHI in line)
    assert passes(twice) == 2 and operations(twice) == operations(text) + 2 * N * D
