"""Graph convolution over a sparse adjacency, kept dense here: index_add, scatter and one mask per split."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from start import fill
from torch.nn.parameter import Parameter

random = np.random.default_rng(4)
edges = torch.from_numpy(random.integers(0, 12, (2, 40)))
features = torch.from_numpy(random.standard_normal((12, 6))).float()
labels = torch.LongTensor(random.integers(0, 3, 12))
idx_train, idx_val = range(8), range(8, 12)


class GraphConvolution(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        self.bias = Parameter(torch.FloatTensor(out_features))
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        self.bias.data.uniform_(-stdv, stdv)

    def forward(self, x, edges):
        support = torch.mm(x, self.weight)
        degree = torch.zeros(x.size(0)).scatter_add_(0, edges[1], torch.ones(edges.size(1))).clamp_(min=1)
        gathered = torch.zeros_like(support).index_add(0, edges[1], support.index_select(0, edges[0]))
        return gathered / degree.unsqueeze(-1) + self.bias


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.gc1, self.gc2 = GraphConvolution(6, 8), GraphConvolution(8, 3)

    def forward(self, x, edges):
        x = F.dropout(F.relu(self.gc1(x, edges)), 0.0, training=self.training)
        return F.log_softmax(self.gc2(x, edges), dim=1)


def accuracy(output, labels):
    preds = output.max(1)[1].type_as(labels)
    return preds.eq(labels).double().sum() / len(labels)


model = fill(GCN())
optimizer = torch.optim.Adam(model.parameters(), lr=0.05, weight_decay=5e-4)
result = []
for _ in range(6):
    model.train()
    optimizer.zero_grad()
    output = model(features, edges)
    loss = F.nll_loss(output[idx_train], labels[idx_train])
    loss.backward()
    optimizer.step()
    result += [loss.item(), accuracy(output[idx_val], labels[idx_val]).item()]
confusion = torch.zeros(3, 3).index_put_((labels, output.argmax(1)), torch.ones(12), accumulate=True)
result += confusion.view(-1).tolist()
