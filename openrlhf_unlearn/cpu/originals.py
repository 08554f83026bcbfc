"""SHA-256 of each OpenRLHF file that the rewrite changes, as its wheel has it: what may be rewritten, and nothing else.

For a new version: `openrlhf-unlearn patch status` names the files that differ; read them before adding their sums.
"""

ORIGINALS: dict[str, dict[str, str]] = {
    "0.11.2": {
        "cli/train_ppo_ray.py": "a57da6a94a193645c653c39a19808d7a408ed3302b076c637778770d268096ab",
        "models/ring_attn_utils.py": "f0ec7490fd7b7ce5f07e34a8bf96d68630e9274498356da927c551a29d26d8cc",
        "trainer/ppo_utils/replay_buffer.py": "25e2826fc9541d7e94ea83283f1372b412a24f4053b122e8a2ef801f84c7d1c5",
        "trainer/ray/launcher.py": "67c202f4ed826332348392bdf96acb5dfccdfda857556e80ba7118078a7b5ec3",
        "trainer/ray/ppo_actor.py": "576ab84fa9a665dc229449e919351816fa339bba7b17810f03f165db02965579",
        "trainer/ray/ppo_critic.py": "7a5015573a291f441e9f442e8aaab15764f714905fe21ff6b9faade414e44196",
        "trainer/ray/vllm_worker_wrap.py": "e6f8164697a36198827169cb4d5d8c7519e7381552cedfd95d7959b9ccf37292",
        "utils/deepspeed/deepspeed.py": "d43196e47227157d584e34a84a0471f9620b418add0365e8efb2ef24a6467f53",
        "utils/deepspeed/deepspeed_utils.py": "b24b7ecd835f2621cc4d30f5b0c7a5a85a14ed0c08e12c508f29e3ed3f664bb9",
        "utils/distributed_util.py": "6a7850b1490c9122f08384eab1343c908cf526af1fcb997b8898d92325edaf98",
        "utils/loss_utils.py": "e92296afa70862aa5d5ce3aea8085f29b5d9ef1b097ec03dc79b922b66c5f2e7",
    },
}
