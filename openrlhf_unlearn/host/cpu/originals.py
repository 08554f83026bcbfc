"""SHA-256 of each OpenRLHF file that the rewrite changes, as its wheel has it: what may be rewritten, and nothing else.

For a new version: unpack its wheel and run tests/host/test_hosts.py on it; it names the files that the rewrite would
change. Read them before adding their sums.
"""

_IN_ALL = {
    "models/ring_attn_utils.py": "f0ec7490fd7b7ce5f07e34a8bf96d68630e9274498356da927c551a29d26d8cc",
    "trainer/ppo_utils/replay_buffer.py": "25e2826fc9541d7e94ea83283f1372b412a24f4053b122e8a2ef801f84c7d1c5",
    "trainer/ray/launcher.py": "67c202f4ed826332348392bdf96acb5dfccdfda857556e80ba7118078a7b5ec3",
    "utils/deepspeed/deepspeed_utils.py": "b24b7ecd835f2621cc4d30f5b0c7a5a85a14ed0c08e12c508f29e3ed3f664bb9",
    "utils/distributed_util.py": "6a7850b1490c9122f08384eab1343c908cf526af1fcb997b8898d92325edaf98",
    "utils/loss_utils.py": "e92296afa70862aa5d5ce3aea8085f29b5d9ef1b097ec03dc79b922b66c5f2e7",
}

ORIGINALS: dict[str, dict[str, str]] = {
    "0.10.4": {
        **_IN_ALL,
        "cli/train_ppo_ray.py": "c1b93dc4e90d19a608306435be75deb5a843737714a7889b001d58c473108e2c",
        "trainer/ray/ppo_actor.py": "70d9039f2347988c8988997ea814dc5811bf52ed8b4419f01cc62723402d4fbe",
        "trainer/ray/ppo_critic.py": "efe28471775776ea0b7516ed576cfe8fc96ac4ce8343ba028dec414e267a2672",
        "trainer/ray/vllm_worker_wrap.py": "13e374719be8537ca6efa8ee18daa7a8cd07e31d54376486d778eb4d8419b713",
        "utils/deepspeed/deepspeed.py": "d36a5397247d6eec5157b06df7c556e0f5cdc67aeda019bc1545eea4e7583192",
    },
    "0.11.0": {
        **_IN_ALL,
        "cli/train_ppo_ray.py": "be2812dd766660083a08ee05bfb4a72731ed6afc91885ad959ee871140b70aa8",
        "trainer/ray/ppo_actor.py": "5db627c1506ca23106522096c40fefd7aca7cd6535fc4ba34f5bc288c9dc6c6d",
        "trainer/ray/ppo_critic.py": "7a5015573a291f441e9f442e8aaab15764f714905fe21ff6b9faade414e44196",
        "trainer/ray/vllm_worker_wrap.py": "e6f8164697a36198827169cb4d5d8c7519e7381552cedfd95d7959b9ccf37292",
        "utils/deepspeed/deepspeed.py": "7eedb0961fba10d29c12fa1f11389b56418ae698535577a0023b366c0c875449",
    },
    "0.11.1": {
        **_IN_ALL,
        "cli/train_ppo_ray.py": "8d120b6d3796654f609c4a7ee6c9f07ea97a9ffbd9aea02a8ba0e5331239783a",
        "trainer/ray/ppo_actor.py": "54c220ce57ded7e705d14e0618914b9257f13f038b12c954a78b8f13e0b83688",
        "trainer/ray/ppo_critic.py": "7a5015573a291f441e9f442e8aaab15764f714905fe21ff6b9faade414e44196",
        "trainer/ray/vllm_worker_wrap.py": "e6f8164697a36198827169cb4d5d8c7519e7381552cedfd95d7959b9ccf37292",
        "utils/deepspeed/deepspeed.py": "d43196e47227157d584e34a84a0471f9620b418add0365e8efb2ef24a6467f53",
    },
    "0.11.2": {
        **_IN_ALL,
        "cli/train_ppo_ray.py": "a57da6a94a193645c653c39a19808d7a408ed3302b076c637778770d268096ab",
        "trainer/ray/ppo_actor.py": "576ab84fa9a665dc229449e919351816fa339bba7b17810f03f165db02965579",
        "trainer/ray/ppo_critic.py": "7a5015573a291f441e9f442e8aaab15764f714905fe21ff6b9faade414e44196",
        "trainer/ray/vllm_worker_wrap.py": "e6f8164697a36198827169cb4d5d8c7519e7381552cedfd95d7959b9ccf37292",
        "utils/deepspeed/deepspeed.py": "d43196e47227157d584e34a84a0471f9620b418add0365e8efb2ef24a6467f53",
    },
}
