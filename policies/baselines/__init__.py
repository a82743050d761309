"""What a learning policy has to beat: common practice and published systems, a file each."""
