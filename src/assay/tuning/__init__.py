"""`assay tune`: short trainings with other hyper-parameters, judged on the validation side; the best becomes a run."""
