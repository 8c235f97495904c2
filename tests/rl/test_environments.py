"""Environments against Gymnasium's, worlds by hand, and the manners of episodes."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DataError, ShapeError
from gpugrad.rl import Bandit, CartPole, GridWorld, MountainCar, VectorEnvironment, make, make_vector

gymnasium = pytest.importorskip("gymnasium")


@pytest.mark.parametrize("ours, theirs", [(CartPole(), "CartPole-v1"), (MountainCar(), "MountainCar-v0")])
def test_dynamics_are_gymnasiums(ours, theirs):
    theirs = gymnasium.make(theirs)
    random = np.random.default_rng(0)
    for episode in range(5):
        observation, _ = ours.reset(seed=episode)
        theirs.reset(seed=episode)
        theirs.unwrapped.state = np.array(observation, np.float64)
        over = False
        while not over:
            action = int(random.integers(ours.action_space.n))
            observation, reward, terminated, truncated, _ = ours.step(action)
            expected, their_reward, their_end, their_cut, _ = theirs.step(action)
            np.testing.assert_allclose(observation, expected, rtol=1e-3, atol=1e-4)
            assert (reward, terminated, truncated) == (their_reward, their_end, their_cut)
            over = terminated or truncated
    assert ours.observation_space.shape == theirs.observation_space.shape
    assert ours.action_space.n == theirs.action_space.n


def test_gymnasiums_environments_are_taken():
    assert make("CartPole-v1").reset(seed=0)[0].shape == (4,)
    ours, theirs = make_vector("CartPole", 3), make_vector("CartPole-v1", 3)
    for many in (ours, theirs):
        many.reset(seed=0)
        ended = 0
        for _ in range(60):  # always to the right: each falls
            observations, rewards, terminated, truncated, info = many.step(np.ones(3, np.int64))
            assert observations.shape == (3, 4) and not truncated.any()
            for i in np.flatnonzero(terminated):
                assert info["_final_obs"][i]
                assert abs(info["final_obs"][i][2]) > 0.2 > abs(observations[i][2])
                ended += 1
        assert ended >= 9
    with pytest.raises(DataError, match="no environment 'Cart'; there are .*CartPole.* as CartPole-v1"):
        make("Cart")


def test_cut_off_after_max_steps():
    car = MountainCar()
    car.reset(seed=1)
    steps = [car.step(1) for _ in range(200)]
    assert [step[3] for step in steps] == [False] * 199 + [True]
    with pytest.raises(DataError, match="call reset first"):
        car.step(1)
    car.reset()
    with pytest.raises(DataError, match=r"MountainCar.step: expected an action of Discrete\(3\), got 3"):
        car.step(3)
    with pytest.raises(DataError, match="call reset first"):
        CartPole().step(0)


def test_a_seed_gives_the_same_episode():
    def episode(seed):
        many = VectorEnvironment(CartPole(), 2)
        first, _ = many.reset(seed=seed)
        return np.concatenate([first, *(many.step([0, 1])[0] for _ in range(40))])

    assert (episode(3) == episode(3)).all()
    assert (episode(3) != episode(4)).any()


def test_grid_world_by_hand():
    world = GridWorld(["S.", "#G"], step_reward=-0.1)
    assert world.reset()[0] == 0
    assert world.step(2) == (0, pytest.approx(-0.1), False, False, {})  # a wall below
    assert world.step(3)[0] == 0  # the border
    assert world.step(1)[:2] == (1, pytest.approx(-0.1))
    assert world.step(2)[:3] == (3, 1.0, True)
    for rows in (["S."], ["..G"]):
        with pytest.raises(DataError, match="needs a start S and a goal G"):
            GridWorld(rows)
    with pytest.raises(ShapeError, match="rows of one length made of"):
        GridWorld(["S.G", "."])


def test_slipping():
    world, random = GridWorld(["...", ".S.", "..G"], slip=0.4), np.random.default_rng(0)
    states, *_ = world.advance(np.full(10000, 4), np.full(10000, 0), random)
    shares = np.bincount(states, minlength=9) / 10000
    np.testing.assert_allclose(shares[[1, 3, 5]], [0.6, 0.2, 0.2], atol=0.02)
    np.testing.assert_allclose(world.mdp().transitions[4, 0, [1, 3, 5]], [0.6, 0.2, 0.2])


def test_bandit():
    bandit = Bandit([0.0, 3.0])
    rewards = []
    for _ in range(300):
        bandit.reset()
        _, reward, terminated, _, _ = bandit.step(1)
        rewards.append(reward)
        assert terminated
    assert abs(np.mean(rewards) - 3) < 0.3


def test_spaces():
    assert gg.rl.Discrete(2).sample(np.random.default_rng(0)) in (0, 1)
    assert 0.5 not in gg.rl.Discrete(2)
    box = gg.rl.Box([0, -np.inf], [1, np.inf])
    assert all(box.sample(np.random.default_rng(i)) in box for i in range(20))
    with pytest.raises(ShapeError, match="low must not be above high"):
        gg.rl.Box(1, 0)
