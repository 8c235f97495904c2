"""Captions: a convolutional encoder, packed sequences into an LSTM, greedy decoding, gradients frozen in part."""

import numpy as np
import torch
import torch.nn as nn
from start import fill
from torch.nn.utils.rnn import pack_padded_sequence


class EncoderCNN(nn.Module):
    def __init__(self, embed_size):
        super().__init__()
        modules = [nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU6(), nn.AdaptiveMaxPool2d(2)]
        self.resnet = nn.Sequential(*modules)
        self.linear = nn.Linear(16, embed_size)
        self.bn = nn.BatchNorm1d(embed_size, momentum=0.01)

    def forward(self, images):
        with torch.no_grad():
            features = self.resnet(images)
        features = features.reshape(features.size(0), -1)
        return self.bn(self.linear(features))


class DecoderRNN(nn.Module):
    def __init__(self, embed_size, hidden_size, vocab_size, num_layers, max_seq_length=6):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, num_layers, batch_first=True)
        self.linear = nn.Linear(hidden_size, vocab_size)
        self.max_seg_length = max_seq_length

    def forward(self, features, captions, lengths):
        embeddings = self.embed(captions)
        embeddings = torch.cat((features.unsqueeze(1), embeddings), 1)
        packed = pack_padded_sequence(embeddings, lengths, batch_first=True)
        hiddens, _ = self.lstm(packed)
        return self.linear(hiddens[0])

    def sample(self, features, states=None):
        sampled_ids = []
        inputs = features.unsqueeze(1)
        for _ in range(self.max_seg_length):
            hiddens, states = self.lstm(inputs, states)
            outputs = self.linear(hiddens.squeeze(1))
            _, predicted = outputs.max(1)
            sampled_ids.append(predicted)
            inputs = self.embed(predicted).unsqueeze(1)
        return torch.stack(sampled_ids, 1)


random = np.random.default_rng(13)
images = torch.tensor(random.standard_normal((3, 3, 9, 9)), dtype=torch.float32)
captions = [torch.Tensor(c) for c in ([1, 4, 5, 6, 2], [1, 3, 5, 2], [1, 6, 2])]
lengths = [len(cap) for cap in captions]
targets = torch.zeros(len(captions), max(lengths)).long()
for i, cap in enumerate(captions):
    targets[i, : lengths[i]] = cap[: lengths[i]]
encoder, decoder = fill(EncoderCNN(6)), fill(DecoderRNN(6, 8, 9, 1), 1)
params = list(decoder.parameters()) + list(encoder.linear.parameters()) + list(encoder.bn.parameters())
optimizer = torch.optim.Adam(params, lr=0.02)
result = []
for _ in range(5):
    packed_targets = pack_padded_sequence(targets, lengths, batch_first=True)[0]
    outputs = decoder(encoder(images), targets, lengths)
    loss = nn.CrossEntropyLoss()(outputs, packed_targets)
    decoder.zero_grad()
    encoder.zero_grad()
    loss.backward()
    optimizer.step()
    result += [loss.item(), np.exp(loss.item())]
encoder.eval()
decoder.eval()
result += decoder.sample(encoder(images))[0].cpu().numpy().tolist()
result += [encoder.resnet[0].weight.grad is None, encoder.bn.running_var.sum().item()]
