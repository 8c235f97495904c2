"""Reinforcement learning: environments with Gymnasium's interface, decision processes, tabular methods, agents."""

from .environment import Environment, VectorEnvironment, make, make_vector
from .environments import Bandit, CartPole, GridWorld, MountainCar
from .experience import ReplayBuffer, discounted_returns, generalized_advantages
from .mdp import MDP, policy_iteration, value_iteration
from .on_policy import OnPolicy, PolicyLearning, of_actions
from .recipe import Acting, Experience
from .rollouts import Rollout, collect, play
from .spaces import Box, Discrete
from .tabular import epsilon_greedy, q_learning, sarsa, td_zero

__all__ = [
    "Acting", "Bandit", "Box", "CartPole", "Discrete", "Environment", "Experience", "GridWorld", "MDP",
    "MountainCar", "OnPolicy", "PolicyLearning", "ReplayBuffer", "Rollout", "VectorEnvironment", "collect",
    "discounted_returns", "epsilon_greedy", "generalized_advantages", "make", "make_vector", "of_actions", "play",
    "policy_iteration", "q_learning", "sarsa", "td_zero", "value_iteration",
]  # fmt: skip
