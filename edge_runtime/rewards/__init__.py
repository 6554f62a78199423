"""The paper's reward for dialogues, and a simulated user to try it on."""
