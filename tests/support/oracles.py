"""Float64 NumPy references, written from the papers: explicit inverses, enumeration and loops."""

import itertools

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import expit, ndtr


def softmax(logits):
    """Softmax over the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def entropy(probs):
    """Shannon entropy over the last axis, with 0 log 0 = 0."""
    return -np.sum(np.where(probs > 0, probs * np.log(np.where(probs > 0, probs, 1.0)), 0.0), -1)


def bald(prob_samples):
    """Mutual information as the mean divergence of the samples [S, N, K] from their average, and its standard error."""
    log_ratio = np.log(np.where(prob_samples > 0, prob_samples, 1.0)) - np.log(prob_samples.mean(0))
    divergence = np.sum(np.where(prob_samples > 0, prob_samples * log_ratio, 0.0), -1)
    return divergence.mean(0), divergence.std(0) / np.sqrt(len(prob_samples))


def bald_from_weights(rng, mean, cov, phi, num_samples):
    """BALD of a Gaussian last layer, from draws of the weights themselves."""
    root = np.linalg.cholesky(cov)
    weights = mean + rng.standard_normal((num_samples, *mean.shape)) @ root.T
    return bald(softmax(np.einsum("nd,skd->snk", phi, weights)))


def bald_from_logits(rng, logits, variance, num_samples):
    """BALD of logits N(logits [N, K], variance [N]) and its standard error, row by row from one block of draws."""
    noise = rng.standard_normal((num_samples, logits.shape[1]))
    scores = []
    for mean, v in zip(logits, variance, strict=True):
        drawn = mean + np.sqrt(v) * noise
        drawn -= drawn.max(-1, keepdims=True)
        probs = np.exp(drawn)
        total = probs.sum(-1)
        probs /= total[:, None]
        divergence = np.einsum("sk,sk->s", probs, drawn) - np.log(total) - probs @ np.log(probs.mean(0))
        scores.append((divergence.mean(), divergence.std() / np.sqrt(num_samples)))
    return np.array(scores).T


def bald_of_two_classes(difference, variance):
    """BALD from f_1 - f_2 ~ N(difference, 2 variance) by Gauss-Hermite, and the deviation of one draw's divergence."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    spread = difference + np.sqrt(2 * np.asarray(variance, float)) * nodes[:, None]
    probs = expit(np.stack([spread, -spread], -1))
    divergence = np.sum(probs * np.log(probs / np.tensordot(weights, probs, 1)), -1)
    exact = weights @ divergence
    return exact, np.sqrt(weights @ (divergence - exact) ** 2)


def bald_of_three_classes(logits, variance):
    """BALD of logits N(logits [N, 3], variance [N]) by the trapezoidal rule over the plane of their differences."""
    steps = np.arange(-8, 8, 0.04)
    plane = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    noise = (steps[:, None, None] * plane[0] + steps[None, :, None] * plane[1]).reshape(-1, 3)
    weights = np.exp(-0.5 * np.sum(noise**2, -1))
    weights /= weights.sum()
    exact = []
    for mean, v in zip(logits, variance, strict=True):
        probs = softmax(mean + np.sqrt(v) * noise)
        exact.append(entropy(weights @ probs) - weights @ entropy(probs))
    return np.array(exact)


def bald_by_winner(logits, variance):
    """BALD of logits N(logits [N, K], variance []) by its integral over the winner's level, with nothing fitted."""
    gumbel = np.arange(-4, 60, 0.01)
    density = np.exp(-gumbel - np.exp(-gumbel)) * 0.01
    scale = np.sqrt(variance + np.pi**2 / 6)
    t = np.arange(-7, 18, 0.02) * scale + np.euler_gamma
    z = (t[:, None] - gumbel) / np.sqrt(variance)
    above, bell = ndtr(-z) @ density, np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi * variance)
    drawn = bell @ density
    known = (drawn > 1e-200) & (above > 1e-250) & (above < 1)
    t, above, drawn, noise = t[known], above[known], drawn[known], (bell @ (density * gumbel))[known]
    loss = np.where(above < 0.1, -np.log1p(-np.minimum(above, 0.1)), -np.log((ndtr(z) @ density)[known]))
    tables = CubicSpline(t, np.stack([np.log(loss), np.log(drawn) + loss, noise / drawn - np.euler_gamma], -1))
    level, exact = np.arange(-6, 14, 0.02) * scale, []
    for mean in np.asarray(logits, float):
        place = np.clip(level[:, None] - mean + mean.max(), t[0], t[-1])
        log_loss, log_hazard, noise = np.moveaxis(tables(place), -1, 0)
        won = np.exp(log_hazard - np.exp(log_loss).sum(1, keepdims=True)) * 0.02 * scale
        exact.append(entropy(won.sum(0)) - np.sum(won * noise))
    return np.array(exact)


def curvature(logits):
    """p_max (1 - p_max) of a softmax."""
    top = softmax(logits).max(-1)
    return top * (1 - top)


def laplace_cov(mean, phi, ridge):
    """Inverse of ridge I + sum of w_i phi_i phi_i', row by row."""
    precision = ridge * np.eye(phi.shape[1])
    for row in phi:
        precision += curvature(mean @ row) * np.outer(row, row)
    return np.linalg.inv(precision)


def predict(mean, cov, phi):
    """Logits and variances of the rows of phi."""
    return phi @ mean.T, np.array([row @ cov @ row for row in phi])


def mean_field(logits, variance):
    """AL-FaMoUS Eq. 8."""
    return softmax(logits / np.sqrt(1 + np.pi / 8 * variance)[..., None])


def fast_update(mean, cov, phi, label, step_size=1.0, repeats=1):
    """The update in the order of its authors: provisional covariance, mean, restored covariance, new curvature."""
    onehot = np.eye(len(mean))[label]
    for _ in range(repeats):
        logits = mean @ phi
        precision = np.linalg.inv(cov)
        provisional = np.linalg.inv(precision + curvature(logits) * np.outer(phi, phi))
        mean = mean + step_size * np.outer(onehot - softmax(logits), provisional @ phi)
        cov = np.linalg.inv(precision + curvature(mean @ phi) * np.outer(phi, phi))
    return mean, cov


def fast_update_woodbury(mean, cov, phi, label):
    """The same update without inverses, for dimensions where those are slow."""
    column, logits = cov @ phi, mean @ phi
    spread, old = phi @ column, curvature(logits)
    mean = mean + np.outer(np.eye(len(mean))[label] - softmax(logits), column) / (1 + old * spread)
    new = curvature(mean @ phi)
    return mean, cov - new / (1 + new * spread) * np.outer(column, column)


def objective(indices, utility, probs, demand, lam):
    """AL-FaMoUS Eq. 3 of the rows that are picked."""
    picked = list(indices)
    return -utility[picked].sum() + lam * np.abs(demand - probs[picked].sum(0)).sum()


def best_subset(utility, probs, demand, lam, size):
    """Minimiser of Eq. 3 over all subsets of the given size, and its value."""
    subsets = np.array(list(itertools.combinations(range(len(utility)), size)))
    values = -utility[subsets].sum(1) + lam * np.abs(demand - probs[subsets].sum(1)).sum(1)
    return set(subsets[values.argmin()].tolist()), values.min()


def dual_value(nu, utility, probs, demand, size):
    """Dual of the relaxed Eq. 3: nu'demand less the largest scores."""
    return nu @ demand - np.sort(utility + probs @ nu)[::-1][:size].sum()


def smooth_dual(nu, utility, probs, demand, size, mu):
    """The dual with an entropy of weight mu: its value, its gradient and every row's share z, sum z = size."""
    scores = utility + probs @ nu
    threshold = brentq(lambda t: expit((scores - t) / mu).sum() - size, scores.min() - 50 * mu, scores.max() + 50 * mu)
    z = expit((scores - threshold) / mu)
    value = nu @ demand - size * threshold - mu * np.logaddexp(0, (scores - threshold) / mu).sum()
    return value, demand - z @ probs, z


def swap_values(inside, utility, probs, demand, lam):
    """Eq. 3 after every swap of a chosen row for one that is not [chosen, others]."""
    chosen, others = np.flatnonzero(inside), np.flatnonzero(~inside)
    return np.array(
        [[objective([*chosen[chosen != i], j], utility, probs, demand, lam) for j in others] for i in chosen]
    )


def greedy_batch(utility, probs, demand, lam, size):
    """One row at a time, each the best given the ones before."""
    picked = []
    for _ in range(size):
        rest = [n for n in range(len(utility)) if n not in picked]
        values = [objective([*picked, n], utility, probs, demand, lam) for n in rest]
        picked.append(rest[int(np.argmin(values))])
    return picked


def famous_cycle(mean, cov, phi, labels, available, counts, lam, budget, count_cycle=True):
    """A whole AL-FaMoUS cycle with least confidence, every quantity recomputed from scratch at every pick.

    Without `count_cycle` n_k of Eq. 2 stays that of the cycles before, while the pool |D| grows.

    Returns the picks, mean, cov, counts and the narrowest lead of a pick over the second best row.
    """
    available, counts, lead, picks = available.copy(), counts.astype(float), np.inf, []
    before = counts.copy()
    for _ in range(budget):
        probs = mean_field(*predict(mean, cov, phi))
        demand = np.maximum(counts.sum() / len(counts) - (counts if count_cycle else before), 0)
        score = 1 - probs.max(1) - lam * np.abs(demand - probs).sum(1)
        score[~available] = -np.inf
        first, second = np.argsort(-score, kind="stable")[:2]
        lead = min(lead, score[first] - score[second])
        picks.append(first)
        available[first] = False
        counts[labels[first]] += 1
        mean, cov = fast_update(mean, cov, phi[first], labels[first])
    return np.array(picks), mean, cov, counts, lead


def euclidean_diversity(features):
    """Mean distance over the pairs of rows."""
    return np.mean([np.linalg.norm(a - b) for a, b in itertools.combinations(features, 2)])


def kl_diversity(features):
    """Mean Kullback-Leibler divergence of the normalised rows from their mean."""
    shares = features / features.sum(1, keepdims=True)
    mean = shares.mean(0)
    return np.mean([sum(p * np.log(p / m) for p, m in zip(row, mean, strict=True) if p > 0) for row in shares])


def farthest_first(features, labelled, available, size, probs=None, demand=0.0, lam=0.0):
    """CBAL Algorithm 2 with every distance computed anew; without labels the first pick is farthest from the mean."""
    centres, left, picked = list(np.flatnonzero(labelled)), available.copy(), []
    probs = np.zeros((len(features), 1)) if probs is None else probs
    for _ in range(size):
        start = features[centres] if centres else features.mean(0, keepdims=True)
        distance = np.array([min(np.linalg.norm(row - centre) for centre in start) for row in features])
        short = np.abs(demand - probs[picked].sum(0) - probs).sum(1)
        picked.append(int(np.argmax(np.where(left, distance - lam * short, -np.inf))))
        centres.append(picked[-1])
        left[picked[-1]] = False
    radius = max(
        [min(np.linalg.norm(features[n] - features[c]) for c in centres) for n in np.flatnonzero(left)] + [0.0]
    )
    return picked, radius


def gradient_embeddings(probs, features):
    """(onehot(prediction) - p) outer h, flattened."""
    errors = np.eye(probs.shape[1])[probs.argmax(1)] - probs
    return np.einsum("nk,nh->nkh", errors, features).reshape(len(probs), -1)


def joint_information(prob_samples, picked):
    """Mutual information of the picks' labels and the sample, by listing every configuration of labels."""
    num_samples, _, num_classes = prob_samples.shape
    joint = np.array(
        [
            [np.prod([prob_samples[s, n, y] for n, y in zip(picked, labels, strict=True)]) for s in range(num_samples)]
            for labels in itertools.product(range(num_classes), repeat=len(picked))
        ]
    )
    return entropy(joint.mean(1)) - sum(entropy(prob_samples[:, n]).mean() for n in picked)
