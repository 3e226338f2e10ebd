from sklearn.utils.estimator_checks import parametrize_with_checks

from assay import Classifier, Regressor


@parametrize_with_checks([Classifier(random_state=0), Regressor(random_state=0)])
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)
